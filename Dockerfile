# What a team runs: the binary, the C library that it needs, and nothing else. No shell, no package manager, no root.
# Plain syntax on purpose: it builds with BuildKit and without, in `docker compose` and in docker-compose 1.29.

ARG RUST_IMAGE=rust:1.95-slim-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package switchback

# The final image's files. The libraries are those that the binary says it needs, of this very C library: linked
# statically, it could not look up names.
RUN set -eu; \
    root=/image/root; data=/image/data; \
    mkdir -p "$root/usr/local/bin" "$root/etc" "$data"; \
    cp target/release/switchback "$root/usr/local/bin/"; \
    for library in $(ldd target/release/switchback | grep -o '/[^ ]*'); do cp -L --parents "$library" "$root"; done; \
    echo 'hosts: files dns' > "$root/etc/nsswitch.conf"; \
    echo 'switchback:x:65532:65532:Switchback:/data:/nonexistent' > "$root/etc/passwd"; \
    echo 'switchback:x:65532:' > "$root/etc/group"

FROM scratch
COPY --from=build /image/root /
# A new volume takes over the owner that its directory has here.
COPY --from=build --chown=65532:65532 /image/data /data
ENV SWITCHBACK_DATA_DIR=/data SWITCHBACK_LISTEN=0.0.0.0:8080
# By number, so that whoever runs it can tell that it is not root.
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=6s --start-period=90s CMD ["/usr/local/bin/switchback", "health"]
ENTRYPOINT ["/usr/local/bin/switchback"]
