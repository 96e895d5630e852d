"""The container beside a server of many models: it fetches what the ConfigMap lists, and has the server load it.

`following` learns what is listed, `pulling` brings the server there, `program` runs both.
"""
