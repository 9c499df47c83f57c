# The image builds from a clean checkout: docker build -t exactduck .
# It runs as a user without rights; everything that it writes lies in /data:
#   docker run --rm -v exactduck:/data -v ./pipelines.yaml:/data/pipelines.yaml:ro exactduck sync

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
USER exactduck
ENV HOME=/data XDG_STATE_HOME=/data/state
VOLUME /data
WORKDIR /data
ENTRYPOINT ["exactduck"]
CMD ["--help"]
