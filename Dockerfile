# The Flyball daemon in a container: no root, nothing written outside of /data, no secrets inside.
#
#   docker build -t flyball .
#   docker run --rm flyball demo --once
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8080:8080 -v "$PWD/config:/config:ro" -v flyball-data:/data \
#     -e FLYWHEEL_API_KEY -e FLYBALL_HTTP__TOKEN flyball
#
# PYTHON_IMAGE takes a digest, so that a build can be repeated: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:…
# It must be an image with glibc: google-re2 has no wheels for musl.
ARG PYTHON_IMAGE=python:3.13-slim


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src

# The tools that build the wheel stay in this stage.
COPY requirements-build.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock

# What running needs comes before the source, so that an edit does not install it again. There is no pip in the result.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/flyball \
 && /opt/build/bin/pip --python /opt/flyball/bin/python install --require-hashes --only-binary :all: -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY service service
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/pip --python /opt/flyball/bin/python install --no-deps --no-index /dist/*.whl \
 && /opt/build/bin/pip --python /opt/flyball/bin/python check \
 && /opt/flyball/bin/flyball --version


FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Flyball" \
      org.opencontainers.image.description="Watches Flywheel sites, applies a lab's rules, and can explain every yes and every no." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.documentation="docs/" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      org.opencontainers.image.licenses="MIT"

# /data belongs to the daemon's user; a volume that is new takes over owner and mode. /config is only read.
RUN groupadd --gid 10001 flyball \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin flyball \
 && install -d -m 0755 /config \
 && install -d -m 0700 -o 10001 -g 10001 /data

COPY --from=build /opt/flyball /opt/flyball

# The environment beats the settings file: the image always listens on 0.0.0.0:8080 and always writes to /data. Without
# a token (FLYBALL_HTTP__TOKEN) other machines get health, readiness and metrics from that address, and nothing else.
ENV PATH=/opt/flyball/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FLYBALL_HTTP__HOST=0.0.0.0 \
    FLYBALL_HTTP__PORT=8080 \
    FLYBALL_DATA=/data

# The config folder is `config` in the working directory unless --config says otherwise: here that is /config.
WORKDIR /
USER 10001:10001
VOLUME ["/config", "/data"]
EXPOSE 8080

# No init is needed in the image: the daemon starts no processes and answers SIGTERM itself, within 10 s. The compose
# file has the engine's own (`init: true`); `docker run --init` does the same.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-m", "flyball.health"]

ENTRYPOINT ["flyball"]
CMD ["run"]
