"""Put autogenerate's operations in an order that MySQL and MariaDB accept, up and down.

A foreign key needs an index as long as it exists, and each statement is committed by itself. So
keys are dropped before what they need and created after it, and a dropped table's indexes go with
the table.
"""

from collections.abc import Iterator
from typing import Any

from alembic import context as alembic
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import SchemaType

from db import TABLE

PLUGINS = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]
INDEXES = Index, PrimaryKeyConstraint, UniqueConstraint
APART = {"foreignkey", "check"}  # constraints whose names are unique in a MySQL database

Ops = list[ops.MigrateOperation]
Tables = dict[str, Table]


def arrange(context: MigrationContext, _: Any, scripts: list[ops.MigrationScript]) -> None:
    """Arrange a new revision, up and down: Alembic's `process_revision_directives`."""
    for script in scripts:
        up, down = script.upgrade_ops, script.downgrade_ops
        if not (context.connection and up and down) or up.is_empty():
            continue
        there = MetaData()
        there.reflect(context.connection)
        old, new = _by_name([there]), _by_name(context.opts["target_metadata"])
        staying = _staying(old, list(_flat(up)))
        up.ops[:] = _arranged(list(_flat(up)), old, new, staying)
        down.ops[:] = _arranged(list(_flat(down)), new, old, staying)
        for op in up.ops:
            if isinstance(op, ops.CreateTableOp) and not TABLE.keys() & op.kw.keys():
                op.kw.update(TABLE)


def include(item: Any, name: str | None, kind: str, reflected: bool, _: Any) -> bool:  # noqa: FBT001
    """Leave out the CHECKs that belong to column types: Alembic's `include_object`."""
    if kind != "check_constraint":
        return True
    if not reflected:
        return not getattr(item, "_type_bound", False)
    metadatas: list[MetaData] = alembic.get_context().opts["target_metadata"]
    tables = [m.tables[item.table.name] for m in metadatas if item.table.name in m.tables]
    types = [column.type for table in tables for column in table.columns]
    return name not in [kind.name for kind in types if isinstance(kind, SchemaType)]


def _arranged(
    changes: Ops, before: Tables, after: Tables, staying: list[ForeignKeyConstraint]
) -> Ops:
    """Arrange the operations from one schema to another; both have the keys `staying`."""
    dropped = {op.table_name for op in changes if isinstance(op, ops.DropTableOp)}
    created = [op for op in changes if isinstance(op, ops.CreateTableOp)]
    remaining = [
        op for op in changes if isinstance(op, ops.DropTableOp) or _table(op) not in dropped
    ]
    indexes = [index for op in remaining for index in _own_index(op, before)]
    touched = {column for op in remaining + indexes for column in _touched(op)}
    hindering = [key for key in staying if touched & _columns(key)]
    going = [key for name in before if name in dropped for key in _keys(before[name])]
    coming = [key for op in created for key in _keys(after[op.table_name])]
    for op in created:
        op.columns = [part for part in op.columns if not isinstance(part, ForeignKeyConstraint)]
    drops = [ops.DropConstraintOp.from_constraint(key) for key in hindering + going]
    creates = [ops.CreateForeignKeyOp.from_constraint(key) for key in hindering + coming]
    return sorted([*indexes, *drops, *remaining, *creates], key=_rank)


def _rank(op: ops.MigrateOperation) -> int:
    match op:
        case ops.DropConstraintOp() if op.constraint_type in APART:
            return 0
        case ops.DropTableOp():
            return 1
        case ops.CreateTableOp():
            return 2
        case ops.CreateForeignKeyOp() | ops.CreateCheckConstraintOp():
            return 4
    return 3


def _flat(op: ops.MigrateOperation) -> Iterator[ops.MigrateOperation]:
    """Yield the operations of a container and of its nested containers."""
    if isinstance(op, ops.OpContainer):
        for inner in op.ops:
            yield from _flat(inner)
    else:
        yield op


def _table(op: ops.MigrateOperation) -> str:
    return getattr(op, "table_name", "") or getattr(op, "source_table", "")


def _by_name(metadatas: list[MetaData]) -> Tables:
    return {table.name: table for metadata in metadatas for table in metadata.tables.values()}


def _keys(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda key: str(key.name))


def _staying(old: Tables, changes: Ops) -> list[ForeignKeyConstraint]:
    """Return the keys that exist before and after."""
    dropped = {op.table_name for op in changes if isinstance(op, ops.DropTableOp)}
    gone = {op.constraint_name for op in changes if isinstance(op, ops.DropConstraintOp)}
    keys = [key for name in old if name not in dropped for key in _keys(old[name])]
    return [key for key in keys if key.name not in gone]


def _columns(key: ForeignKeyConstraint) -> set[tuple[str, str]]:
    """Return the tables and columns at both ends of a key."""
    own = {(key.table.name, column.name) for column in key.columns}
    return own | {(key.referred_table.name, end.column.name) for end in key.elements}


def _touched(op: ops.MigrateOperation) -> list[tuple[str, str]]:
    """Return the columns whose type or index an operation cannot change while a key uses them."""
    names: list[str] = []
    match op:
        case ops.AlterColumnOp() if op.modify_type is not None:
            names = [op.column_name]
        case ops.DropIndexOp():
            names = _names(op.to_index())
        case ops.DropConstraintOp() if op.constraint_type == "unique":
            names = _names(op.to_constraint())
    return [(_table(op), name) for name in names[:1]]


def _own_index(op: ops.MigrateOperation, before: Tables) -> Ops:
    """Drop the index that the server made for a dropped key, as it remains without the key."""
    if not isinstance(op, ops.DropConstraintOp) or op.constraint_type != "foreignkey":
        return []
    table, columns = before[op.table_name], _names(op.to_constraint())
    parts = [part for part in (*table.indexes, *table.constraints) if isinstance(part, INDEXES)]
    below = [part.name for part in parts if _names(part)[: len(columns)] == columns]
    if any(name != op.constraint_name for name in below):
        return []
    return [ops.CreateIndexOp(str(op.constraint_name), op.table_name, columns).reverse()]


def _names(part: Any) -> list[str]:
    return [column.name for column in part.columns]
