"""DVC's cache, remote and commands.

Everything of DVC's internals is reached from here.
"""
