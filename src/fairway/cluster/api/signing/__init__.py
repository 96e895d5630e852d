"""Certificates of clients: asked for as CertificateSigningRequests, approved by somebody, signed by the authority.

`requests` says what is wrong with a request, `approval` who may approve, deny and sign one, `authority` signs. The
controller that has approved requests signed is one of `workloads`, and knows of the authority only a function.
"""
