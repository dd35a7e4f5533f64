"""What makes a schema, what that is made of, and its copies.

Each module is built on those that are named before it:

    kinds            what a database may have, and where its server tells of it
    digest           what makes two schemas the same
    ini              where an Alembic project has its files
    imports          what revisions import of a project's own
    codes            what tells the code of a callable from that of others in its file
    sources          what tells a callable from others without calling it
    outside          what statements do outside of their database
    refusals         what a server refuses in a revision, as one line; needs Alembic and SQLAlchemy
    alembic_project  Alembic's commands on a throwaway database; needs them, too
    schema           what makes a schema, and the key of what it makes
    recorded         revisions that may not change any more; needs Alembic
    ddl, rows        a database's objects and rows as SQL
    checksums        what is another after any change of a table's rows
    dump             a database as a file
    clone            a schema in an empty database, as a copy where there is one
    original         the rows that a database had when it was made, put back
"""
