//! The image and the test environment, with a Docker that only writes down what is asked of it.

use std::fs;

use super::checkout::Checkout;

const IMAGE: (&str, &str) = ("IMAGE", "chatprobe:main-7");

/// Which of these have to be set is told by name, and nothing is done before.
async fn needs(checkout: &Checkout, script: &str, environment: &[(&str, &str)]) {
    for missing in environment {
        let others: Vec<_> = environment
            .iter()
            .filter(|(name, _)| *name != missing.0)
            .copied()
            .collect();
        let ran = checkout.run(script, &[], &others).await;
        assert_ne!(ran.code, 0, "{script} without {}", missing.0);
        assert!(ran.said.contains(missing.0), "{script}: {}", ran.said);
        assert!(ran.calls.is_empty(), "{script}: {:?}", ran.calls);
    }
}

#[tokio::test]
async fn the_image_knows_its_revision_and_is_asked_for_its_version() {
    let checkout = Checkout::with(&["docker", "git"]);
    let does = r"case $line in
        git*) echo 0123abc ;;
        *build*) [ -e docker-compose.yml ] || exit 8 ;;
    esac";
    let environment = [IMAGE, ("DOES", does)];
    let calls = checkout
        .stops_at_every_failure("ci/image", &environment)
        .await;
    assert_eq!(
        calls,
        [
            "git [rev-parse] [HEAD]",
            "docker [build] [--build-arg] [REVISION=0123abc] [--label] [org.opencontainers.image.revision=0123abc] [--tag] [chatprobe:main-7] [.]",
            "docker [run] [--rm] [chatprobe:main-7] [--version]",
        ]
    );
    let without = Checkout::with(&["git"]).run("ci/image", &[], &[]).await;
    assert_eq!(without.code, 2, "{}", without.said);
    assert!(without.said.contains("docker is missing"));
}

#[tokio::test]
async fn the_images_of_others_are_pinned_by_what_their_tags_are_now() {
    let checkout = Checkout::with(&["docker", "git"]);
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let images = || -> Vec<_> {
        let compose = checkout.read("docker-compose.yml");
        let images = compose
            .lines()
            .filter_map(|line| line.trim().strip_prefix("image: "));
        images.map(str::to_owned).collect()
    };
    let tags = images();
    assert_eq!(tags[0], "${CHATPROBE_IMAGE:-chatprobe:dev}");
    assert_eq!(tags.len(), 6);
    let inspect = r#"case $line in git*) echo "a change"; exit ;; esac
        printf 'Name:      x\nMediaType: y\nDigest:    %s\n\nManifests:\n  Name: x@sha256:00\n' "$DIGEST""#;
    // Anew where a digest stands there already.
    for digit in ["1", "2"] {
        let digest = digest(digit);
        let environment = [("DOES", inspect), ("DIGEST", digest.as_str())];
        let ran = checkout.run("ci/pin-images", &[], &environment).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        let (git, asked) = ran.calls.split_last().unwrap();
        assert_eq!(git, "git [diff] [--] [docker-compose.yml]");
        let inspected = tags[1..].iter();
        let inspected =
            inspected.map(|tag| format!("docker [buildx] [imagetools] [inspect] [{tag}]"));
        assert!(asked.iter().cloned().eq(inspected), "{asked:?}");
        let pinned = tags[1..].iter().map(|tag| format!("{tag}@{digest}"));
        let pinned: Vec<_> = [tags[0].clone()].into_iter().chain(pinned).collect();
        assert_eq!(images(), pinned);
        assert_eq!(checkout.read("reports/pinned-images.diff"), "a change\n");
    }
    let before = checkout.read("docker-compose.yml");
    // Without the second of three, no half of it is written.
    let digest = digest("3");
    for call in ["1", "2"] {
        let unreachable = [("DOES", inspect), ("DIGEST", &digest), ("FAILS", call)];
        let ran = checkout.run("ci/pin-images", &[], &unreachable).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        assert!(
            ran.said.contains("nothing is pinned: the registry"),
            "{}",
            ran.said
        );
    }
    let senseless = checkout
        .run("ci/pin-images", &[], &[("DOES", "echo hello")])
        .await;
    assert_eq!(senseless.code, 1, "{}", senseless.said);
    assert_eq!(checkout.read("docker-compose.yml"), before);
}

#[tokio::test]
async fn a_command_in_the_image_has_its_arguments_and_its_exit_code() {
    let checkout = Checkout::with(&["docker"]);
    let reports = ("REPORTS", "/a checkout/reports");
    let environment = [IMAGE, ("ENVIRONMENT", "other"), ("DOES", "exit 3"), reports];
    let arguments = ["run", "--load", "{ chats: 1 }"];
    let ran = checkout.run("ci/in-image", &arguments, &environment).await;
    assert_eq!(ran.code, 3, "{}", ran.said);
    let [call] = &ran.calls[..] else {
        panic!("{:?}", ran.calls)
    };
    for part in [
        "docker [run] [--rm] [--network] [other_default] [--network-alias] [gate] ",
        " [--env] [CHATPROBE_CONFIG=/etc/chatprobe/container.yaml] ",
        " [--volume] [/a checkout/reports:/a checkout/reports] ",
        " [chatprobe:main-7] [run] [--load] [{ chats: 1 }]",
    ] {
        assert!(call.contains(part), "{part} in {call}");
    }
}

#[tokio::test]
async fn the_test_environment_is_of_the_image_with_secrets_of_its_own() {
    let checkout = Checkout::with(&["docker"]);
    let does = r#"case $line in *"[up]"*)
        [ -s "$SECRETS/admin-token" ] && [ -e docker-compose.yml ] || exit 8
        echo "$CHATPROBE_IMAGE, $COMPOSE_PROJECT_NAME, $CHATPROBE_PORT, $SIMULATOR_PORT, $SECRETS" ;;
    esac"#;
    let environment = [IMAGE, ("ENVIRONMENT", "other"), ("DOES", does)];
    let calls = checkout
        .stops_at_every_failure("ci/deploy", &environment)
        .await;
    assert_eq!(
        calls,
        [
            "docker [compose] [version]",
            "docker [compose] [--profile] [behaviour] [up] [--detach] [--no-build] [--wait] [--wait-timeout] [120] [simulator] [behaviour] [chatprobe]",
        ]
    );
    let ran = checkout.run("ci/deploy", &[], &environment).await;
    let secrets = checkout.path("target/test-secrets");
    let told = format!("chatprobe:main-7, other, 0, 0, {}\n", secrets.display());
    assert!(ran.said.contains(&told), "{}", ran.said);
    // Those of whoever works there are not.
    assert!(!checkout.path("deploy/secrets/slack-url").exists());

    let without = Checkout::with(&[]).run("ci/deploy", &[], &[]).await;
    assert_eq!(without.code, 2, "{}", without.said);
    assert!(without.said.contains("docker compose is missing"));
}

#[tokio::test]
async fn the_end_of_the_test_environment_keeps_its_logs_and_no_secrets() {
    let checkout = Checkout::with(&["docker"]);
    checkout
        .run("ci/deploy", &[], &[("ENVIRONMENT", "other")])
        .await;
    assert!(checkout.path("target/test-secrets").exists());
    let does = r#"case $line in
        *"[logs]"*) echo "log of $COMPOSE_PROJECT_NAME" ;;
        *"[down]"*) echo "down with $COMPOSE_PROJECT_NAME, $SECRETS" ;;
    esac"#;
    let environment = [("ENVIRONMENT", "other"), ("DOES", does)];
    let ran = checkout.run("ci/undeploy", &[], &environment).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(
        ran.calls,
        [
            "docker [compose] [--profile] [behaviour] [logs] [--no-color]",
            "docker [compose] [--profile] [behaviour] [down] [--volumes] [--timeout] [30]",
        ]
    );
    let secrets = checkout.path("target/test-secrets");
    let told = format!("down with other, {}\n", secrets.display());
    assert!(ran.said.contains(&told), "{}", ran.said);
    assert_eq!(checkout.read("reports/environment.log"), "log of other\n");
    assert!(!secrets.exists());

    // An environment without logs ends too; one that does not end is told.
    for (fails, code) in [("1", 0), ("2", 9)] {
        let ran = checkout.run("ci/undeploy", &[], &[("FAILS", fails)]).await;
        assert_eq!(ran.code, code, "{}", ran.said);
        assert_eq!(ran.calls.len(), 2, "{:?}", ran.calls);
    }
}

#[tokio::test]
async fn the_image_is_pushed_with_a_login_that_nobody_sees_and_nothing_keeps() {
    let checkout = Checkout::with(&["docker"]);
    let seen = checkout.beside("seen");
    let does = r#"[ -d "$DOCKER_CONFIG" ] || exit 8
        case $line in *"[login]"*) cat >"$SEEN" ;; esac"#;
    let login = [("REGISTRY_USER", "robot"), ("REGISTRY_PASSWORD", "p w\"d")];
    let registry = ("REGISTRY", "registry.test:5000");
    let base = [IMAGE, registry, ("SEEN", &seen), ("DOES", does)];
    let with_login = [&base[..], &login].concat();
    // Checkout::run looks for temporary files that are left, hence for the configuration of Docker.
    let calls = checkout
        .stops_at_every_failure("ci/push", &with_login)
        .await;
    let pushes = [
        "docker [tag] [chatprobe:main-7] [registry.test:5000/chatprobe:main-7]",
        "docker [push] [registry.test:5000/chatprobe:main-7]",
    ];
    let logs_in = "docker [login] [--username] [robot] [--password-stdin] [registry.test:5000]";
    assert_eq!(calls, [logs_in, pushes[0], pushes[1]]);
    assert_eq!(fs::read_to_string(&seen).unwrap(), "p w\"d");

    let open = checkout.stops_at_every_failure("ci/push", &base).await;
    assert_eq!(open, pushes);
    let told = checkout.run("ci/push", &[], &base).await.said;
    assert!(
        told.contains("registry.test:5000/chatprobe:main-7"),
        "{told}"
    );

    needs(&checkout, "ci/push", &[IMAGE, registry]).await;
    let no_password = [&base[..], &login[..1]].concat();
    let ran = checkout.run("ci/push", &[], &no_password).await;
    assert_ne!(ran.code, 0);
    assert!(ran.said.contains("REGISTRY_PASSWORD"), "{}", ran.said);
    assert!(ran.calls.is_empty(), "{:?}", ran.calls);
}

#[tokio::test]
async fn images_of_a_build_are_removed_where_they_are_and_others_stay() {
    let checkout = Checkout::with(&["docker"]);
    let prune = "docker [image] [prune] [--force] [--filter] [until=168h]";
    let clean = async |does: &str| {
        let environment = [IMAGE, ("REGISTRY", "registry.test"), ("DOES", does)];
        checkout
            .stops_at_every_failure("ci/clean-images", &environment)
            .await
    };
    let (here, pushed) = ("chatprobe:main-7", "registry.test/chatprobe:main-7");
    let asks = |image| format!("docker [images] [--quiet] [{image}]");
    let removes = |image| format!("docker [rmi] [{image}]");
    let all = [
        asks(here),
        removes(here),
        asks(pushed),
        removes(pushed),
        prune.to_owned(),
    ];
    let is_there = r#"case $line in *"[images]"*) echo 0123abc ;; esac"#;
    assert_eq!(clean(is_there).await, all);
    // A build that failed early, or was not pushed.
    let none = [asks(here), asks(pushed), prune.to_owned()];
    assert_eq!(clean("").await, none);
    needs(&checkout, "ci/clean-images", &[IMAGE]).await;
}
