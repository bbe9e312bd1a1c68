"""The typed client: what can be asked (``calls``), and the two that ask it (``client``, ``async_client``)."""
