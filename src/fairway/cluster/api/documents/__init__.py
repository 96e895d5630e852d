"""What the server says of itself: discovery, OpenAPI, the schemas of built-in kinds."""
