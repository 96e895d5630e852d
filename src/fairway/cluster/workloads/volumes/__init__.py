"""PersistentVolumes and their claims: which volume a claim gets, and what becomes of a volume when its claim has gone.

claims binds, lives says how a volume stands and reclaims it, protection keeps what is used. A claim for which there is
no volume waits for its first pod: the node then makes a folder for it, which is a volume too.
"""
