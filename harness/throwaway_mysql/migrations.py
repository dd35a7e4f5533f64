"""A throwaway database brought to the project's newest schema by its own Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool


def migrate(url: str | URL, ini: Path, revision: str = "head") -> None:
    """Upgrade the database at `url` with the Alembic project of `ini`.

    Its env.py must use the connection in `config.attributes["connection"]` where there is
    one, as Alembic's cookbook describes (sharing a connection across commands).
    """
    engine = create_engine(url, poolclass=NullPool)
    config = Config(ini)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
