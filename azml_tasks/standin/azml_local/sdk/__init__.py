"""The real Azure ML SDK beside the stand-in: found, loaded when it is used, or refused."""
