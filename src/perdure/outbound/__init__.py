"""How we call others over HTTP: what bounds a request, and where one may lead that somebody else asked for."""
