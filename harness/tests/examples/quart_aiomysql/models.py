"""The tables."""

from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()
guest = Table(
    "guest",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
)
