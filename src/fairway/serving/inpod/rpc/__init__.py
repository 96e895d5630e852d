"""V2 over gRPC: `inference.GRPCInferenceService`, with the calls of KServe and of Triton that one server can answer.

`schema` makes the messages from a table, `dialogue` turns one request into tensors and back, `calls` has the calls
and the server. It is imported only where a gRPC port is asked for: it needs grpcio and protobuf.
"""
