# The image builds from a clean checkout: docker build -t exactduck .
# It runs as a user without rights on a root file system that it cannot write to; everything that it writes
# lies in /data, where pipelines.yaml is too. .github/running has an example with Compose.
#   docker run --rm --read-only -v exactduck:/data -v ./pipelines.yaml:/data/pipelines.yaml:ro exactduck sync

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -ldflags "-s -w" -o /exactduck ./cmd/exactduck

FROM debian:12-slim
# DuckDB is C++; the certificates are for Exact's hosts, the zones for its wall clocks.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /data exactduck \
 && install -d -o exactduck -g exactduck -m 0700 /data
COPY --from=build /exactduck /usr/local/bin/exactduck
USER 10001
ENV HOME=/data XDG_STATE_HOME=/data/state
VOLUME /data
WORKDIR /data
EXPOSE 8586
# Of a container that serves; one that runs a single sync is gone before it is asked.
HEALTHCHECK --interval=1m --timeout=10s --start-period=1m CMD ["exactduck", "health"]
ENTRYPOINT ["exactduck"]
CMD ["--help"]
