# chatprobe as an image: docker build -t chatprobe .
# With an older Debian: docker build --build-arg DEBIAN=bookworm -t chatprobe .
ARG RUST=1.95
ARG DEBIAN=trixie

FROM rust:${RUST}-slim-${DEBIAN} AS build
WORKDIR /build
# The dependencies alone, against an empty crate: this layer is built anew only when one of them
# changes, which is rare.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --profile dist --locked
COPY src src
# The commit, which chatprobe_build_info shows.
ARG REVISION=unknown
# Cargo goes by times, and the files of the empty crate are newer than what was copied.
RUN touch src/lib.rs src/main.rs \
    && CHATPROBE_REVISION="$REVISION" cargo build --profile dist --locked

FROM debian:${DEBIAN}-slim
# For targets with https; nothing of it is needed at build time, so nothing is installed here.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/dist/chatprobe /usr/local/bin/chatprobe
# What runs without a configuration of the user's: reached from outside the container, with a token that the
# first run makes. A mounted file takes its place.
COPY config/image.yaml /etc/chatprobe/chatprobe.yaml
COPY config/container.yaml /etc/chatprobe/container.yaml
COPY config/scenarios /etc/chatprobe/scenarios
ENV CHATPROBE_CONFIG=/etc/chatprobe/chatprobe.yaml
# The history of runs, and the token; a new volume there has its owner.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/chatprobe
VOLUME /var/lib/chatprobe
# By number, so that Kubernetes can see that it is not root. It owns no other file.
USER 10001:10001
# web and callbacks
EXPOSE 8080 8001
# Three failures in a row, so that one slow answer under load ends nothing.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["chatprobe", "health"]
# The process ends on SIGTERM within shutdown.grace and five seconds: give `docker stop -t` more.
ENTRYPOINT ["chatprobe"]
CMD ["serve"]
