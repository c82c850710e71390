# Built from the repository's root: docker build -t hookwell .
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /hookwell
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY tests tests
COPY openapi openapi
RUN cargo build --release --locked --bin hookwell && mkdir /data

# glibc and CA certificates, no shell, user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /hookwell/target/release/hookwell /usr/local/bin/hookwell
COPY --from=build --chown=65532:65532 /data /data
ENV HOOKWELL_LISTEN=0.0.0.0:8080 HOOKWELL_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/usr/local/bin/hookwell", "check"]
ENTRYPOINT ["/usr/local/bin/hookwell"]
CMD ["serve"]
