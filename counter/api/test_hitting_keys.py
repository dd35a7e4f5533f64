"""Idempotency keys: a repeated request is answered again but not counted again."""

from http import HTTPStatus

from quart.typing import TestClientProtocol as Client

from counter.testing import Query, count_of


async def hit(client: Client, name: str, key: str, **body: int) -> tuple[int, str | None]:
    """Count with an idempotency key; return the count and the header that marks a replay."""
    response = await client.post(
        f"/api/v1/counters/{name}/hits", json=body, headers={"Idempotency-Key": key}
    )
    assert response.status_code == HTTPStatus.OK
    return (await response.get_json())["count"], response.headers.get("Idempotent-Replayed")


async def test_a_replay_is_answered_the_same_and_says_so_or_is_refused_with_another_by(
    create_test_client: Client, name: str, query: Query
) -> None:
    key = "~" * 64
    assert await hit(create_test_client, name, key, by=3) == (3, None)
    assert await hit(create_test_client, name, "another") == (4, None)
    assert await hit(create_test_client, name, key, by=3) == (3, "true")
    assert await hit(create_test_client, f"{name}.other", key) == (1, None)
    problem = await create_test_client.post(
        f"/api/v1/counters/{name}/hits", headers={"Idempotency-Key": key}
    )
    assert problem.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "another `by`" in (await problem.get_json())["detail"]
    assert query(count_of(name)) == 4


async def test_spaces_around_a_key_are_not_part_of_it(
    create_test_client: Client, name: str
) -> None:
    assert await hit(create_test_client, name, "a-key") == (1, None)
    assert await hit(create_test_client, name, " \ta-key \t") == (1, "true")


async def test_hits_of_a_batch_are_replayed_each_for_itself(
    create_test_client: Client, name: str, query: Query
) -> None:
    namespace, key = name.split("/")
    first, second = (
        {"namespace": namespace, "key": key, "idempotency_key": value} for value in ("1", "2")
    )
    for hits, answers in (
        ([first], [(1, False)]),
        ([second, first], [(2, False), (1, True)]),
        ([first, second], [(1, True), (2, True)]),
    ):
        response = await create_test_client.post("/api/v1/hits", json={"hits": hits})
        answered = (await response.get_json())["hits"]
        assert [(answer["count"], answer["replayed"]) for answer in answered] == answers
    assert await hit(create_test_client, name, "1") == (1, "true")
    assert query(count_of(name)) == 2
