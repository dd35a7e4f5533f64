"""Throwaway databases: whose they are, made, dropped, swept.

Each module is built on those that are named before it:

    identity   the names of throwaway databases, and the process that made one
    journal    what a process of a run did and when
    place      a server where they may be, how far it is, and whether its locks tell
    ownership  a run, and the locks that say it lives
    marker     what stands in a throwaway database
    holders    who uses a database
    verdict    whose a database is, and whether it may be dropped
    database   throwaway databases
    sweep      what killed runs left
"""
