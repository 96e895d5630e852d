"""Notices: people and programs are told what happened to runs, by webhook or by e-mail.

A rule says which events go where. `loop` follows the records, writes a delivery for each event and rule, and sends
what is to be sent until it has arrived or was tried often enough. `api` is what clients call.
"""
