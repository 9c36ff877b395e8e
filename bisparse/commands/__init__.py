"""The commands of the command line, a file each. A command reads its options, asks a room below and prints the answer.

Importing a command imports typer and nothing else; what it needs it imports when it runs.
"""
