# Stage one: the locked requirements and the built wheel, in a virtual environment that is copied whole.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Before the sources, so that a change of code does not install the requirements again.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/build.txt \
 && python -m venv /opt/rt-bridge \
 && /opt/rt-bridge/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY bridge bridge
COPY mappings mappings
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/rt-bridge/bin/pip install --no-deps --no-index /dist/*.whl \
 && /opt/rt-bridge/bin/python -m compileall -q /opt/rt-bridge/lib \
 && /opt/rt-bridge/bin/pip uninstall --yes pip

# Stage two: no compiler, no pip, no sources.
FROM python:3.13-slim
LABEL org.opencontainers.image.title="plivo-rt-bridge" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 rt-bridge \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/rt-bridge --shell /usr/sbin/nologin rt-bridge \
 && install -d -o 10001 -g 10001 -m 0750 /var/lib/rt-bridge
COPY --from=build /opt/rt-bridge /opt/rt-bridge
# The Plivo listener must be reachable from outside the container; the admin listener keeps its loopback default.
ENV PATH=/opt/rt-bridge/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BRIDGE_LISTEN=0.0.0.0:8080 \
    BRIDGE_STORE=sqlite:////var/lib/rt-bridge/bridge.db
WORKDIR /var/lib/rt-bridge
VOLUME ["/var/lib/rt-bridge"]
# Numeric, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["rt-bridge", "healthcheck"]
ENTRYPOINT ["rt-bridge"]
CMD ["serve"]
