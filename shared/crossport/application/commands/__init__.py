"""What the relay does in the cloud, one module for each matter.

A command is carried out when its time has come; until then it waits in the outbox and looks again. Each ends with a
save that also completes its outbox row.
"""
