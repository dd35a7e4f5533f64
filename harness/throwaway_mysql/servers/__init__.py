"""Server programs of this machine: found, laid out, started, guarded, shared by a run.

Each module is built on those that are named before it:

    port       a port for a process that is about to start
    program    the server program of this machine
    guard      a process that ends a server with the run that wanted it
    hold       the locks that tell whether a folder's run and guard live
    guarded    a folder with such a guard
    server     a server's process
    trouble    what the system refuses, in one line
    datadir    a new server's data
    image      a folder in one file
    template   data folders of new servers, kept
    leftovers  folders of killed runs whose guard was killed as well
    lasting    a server that outlives its starter and keeps its data
    private    the server of development: such a one, or what else answers there
    run        the server of a test run
    shared     the same one for all processes of the run
    kept       the same one, going on after the run
"""
