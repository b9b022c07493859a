# The service without the embedded servers: none of the `embedded` extra is in here, so nothing under the GPL is.
#
# The base is pinned by its tag. A tag can be moved: before you build for production, pin it by digest as well
# (docker buildx imagetools inspect python:3.13.7-slim-bookworm) and pass it with --build-arg PYTHON=...@sha256:...
ARG PYTHON=python:3.13.7-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/hip
WORKDIR /build
# The lock first, for it changes less often than the code.
COPY requirements/server.txt requirements/server.txt
RUN /opt/hip/bin/pip install --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY examples examples
# pip and the build backend have done their work and are no part of the service.
RUN /opt/hip/bin/pip install --no-deps --no-build-isolation . \
    && /opt/hip/bin/pip uninstall --yes hatchling editables pip

FROM ${PYTHON}
LABEL org.opencontainers.image.title="hip" \
      org.opencontainers.image.description="Health Information Provider for ABDM, milestone M2" \
      org.opencontainers.image.licenses="Apache-2.0"
# The number is fixed, so that volumes and orchestrators can name it.
RUN groupadd --system --gid 10001 hip \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/hip --shell /usr/sbin/nologin hip \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/hip
COPY --from=build /opt/hip /opt/hip
ENV PATH=/opt/hip/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HIP_BIND=0.0.0.0:8080 \
    HIP_KEY_FILE=/var/lib/hip/hip.keys
# Only /tmp (a tmpfs will do) and this volume need to be writable. Secrets come with the environment, never with a layer.
VOLUME /var/lib/hip
WORKDIR /var/lib/hip
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# For `hip serve`. The relay and the workers answer no HTTP: switch it off for them, as docker-compose.yml does.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['HIP_BIND'].rpartition(':')[2] + '/health/live', timeout=4)"]
ENTRYPOINT ["hip"]
CMD ["serve"]
