# The image of Perdure: `docker build -t perdure .`, then see compose.yaml and docs/how-to/containers.md.

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/perdure
# What rarely changes first: the dependencies, exactly as pinned. Wheels alone, so nothing needs a compiler.
COPY requirements requirements
RUN /opt/perdure/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY examples/data/seattle-weather.csv examples/data/
COPY src src
RUN pip wheel --no-cache-dir --no-deps --build-constraint requirements/dev.txt --wheel-dir /build/dist . \
    && /opt/perdure/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim
# A fixed number, so that the owner of files on a volume stays the same from image to image.
RUN groupadd --gid 10001 perdure \
    && useradd --uid 10001 --gid perdure --no-create-home --home-dir /data perdure \
    && install --directory --owner=perdure --group=perdure --mode=700 /data
COPY --from=build /opt/perdure /opt/perdure
ENV PATH=/opt/perdure/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PERDURE_DATA_DIR=/data
# Processors of your own are imported from here.
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PERDURE_PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["perdure"]
CMD ["serve", "--host", "0.0.0.0"]
