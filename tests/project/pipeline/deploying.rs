//! What checks the files that deploy, and what they deploy.

use std::{fs, process::Command};

use super::{
    checkout::{Checkout, Ran},
    said,
};

/// What kustomize makes of any folder, beside the scenarios.
const RENDERED: &str = "  chatprobe-overview.json: '{}'
kind: ConfigMap
---
          claimName: chatprobe-history
---
kind: PersistentVolumeClaim
metadata:
  name: chatprobe-history
---
kind: NetworkPolicy
metadata:
  labels: {}
  name: chatprobe
---
  name: redis
  name: rooms
  name: behaviour
---
kind: ServiceMonitor
---
kind: PrometheusRule
";

const TOOLS: [&str; 4] = ["hadolint", "kubectl", "kubernetes-validate", "docker"];

/// The tools say what the real ones would, and compose has the images of a file.
const DOES: &str = r#"case $line in
    *"[--images]") cat "$IMAGES" ;;
    kubectl*) cat "$RENDERED" ;;
    docker*) [ -e docker-compose.yml ] || exit 8 ;;
esac"#;

const PINNED: &str =
    "chatprobe:dev\nprom/prometheus:v3.13.2@sha256:0123\nregistry.test:5000/grafana:12.4.10\n";

/// A checkout with these tools, and what compose and kubectl say there.
struct Deployment {
    checkout: Checkout,
    images: String,
    rendered: String,
}

impl Deployment {
    fn with(tools: &[&str]) -> Self {
        let checkout = Checkout::with(tools);
        let (images, rendered) = (checkout.beside("images"), checkout.beside("rendered"));
        fs::write(&images, PINNED).unwrap();
        let scenarios = fs::read_dir("config/scenarios").unwrap();
        let maps: Vec<_> = scenarios
            .map(|file| format!("  {}: |\n", file.unwrap().file_name().display()))
            .collect();
        fs::write(&rendered, maps.concat() + RENDERED).unwrap();
        fs::create_dir_all(checkout.path("grafana/dashboards")).unwrap();
        checkout.write("grafana/dashboards/overview.json", "{}");
        Self {
            checkout,
            images,
            rendered,
        }
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("DOES", DOES),
            ("IMAGES", &self.images),
            ("RENDERED", &self.rendered),
        ]
    }

    async fn check(&self, more: &[(&str, &str)]) -> Ran {
        let environment = [&self.environment(), more].concat();
        self.checkout.run("deploy/check", &[], &environment).await
    }
}

#[tokio::test]
async fn what_deploys_is_well_if_all_tools_say_so_and_not_if_one_does_not() {
    let deployment = Deployment::with(&TOOLS);
    // Without the plugin of Docker there may be a command of its own, which is not here.
    let all = deployment
        .checkout
        .stops_at_every_failure("deploy/check", &deployment.environment())
        .await;
    let (last, before) = all.split_last().unwrap();
    assert_eq!(
        before,
        [
            "docker [compose] [version]",
            "hadolint [Dockerfile]",
            "docker [compose] [config] [--quiet]",
            "docker [compose] [-f] [docker-compose.yml] [-f] [docker-compose.load.yml] [config] [--quiet]",
            "docker [compose] [--profile] [rooms] [--profile] [behaviour] [config] [--quiet]",
            "docker [compose] [--profile] [rooms] [--profile] [behaviour] [config] [--images]",
            "kubectl [kustomize] [deploy/kubernetes/base]",
            "kubectl [kustomize] [deploy/kubernetes/without-simulator]",
            "kubectl [kustomize] [deploy/kubernetes/service-monitor]",
            "kubectl [kustomize] [deploy/kubernetes/rooms]",
            "kubectl [kustomize] [deploy/kubernetes/behaviour]",
        ]
    );
    assert!(
        last.starts_with("kubernetes-validate [--strict] [--quiet] ["),
        "{last}"
    );
    assert!(last.contains("/base.yaml] ["), "{last}");
    assert!(last.contains("/without-simulator.yaml] ["), "{last}");
    assert!(last.contains("/rooms.yaml] ["), "{last}");
    assert!(last.contains("/behaviour.yaml] ["), "{last}");
    assert!(last.ends_with("/without-operator.yaml]"), "{last}");
}

#[tokio::test]
async fn where_compose_is_a_command_of_its_own_it_is_asked() {
    let deployment = Deployment::with(&[
        "hadolint",
        "kubectl",
        "kubernetes-validate",
        "docker-compose",
    ]);
    let ran = deployment.check(&[]).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
    let asked =
        "docker-compose [--profile] [rooms] [--profile] [behaviour] [config] [--images]".to_owned();
    assert!(ran.calls.contains(&asked), "{:?}", ran.calls);
}

/// Makes a virtual environment of fakes.
const MAKES: &str = r#"case $line in *"[venv]"*)
    mkdir -p "$3/bin"
    for program in python hadolint kubernetes-validate docker-compose; do
        cat "$BIN/python3" >"$3/bin/$program"
        chmod +x "$3/bin/$program"
    done ;;
esac"#;

#[tokio::test]
async fn tools_that_are_missing_are_installed_and_what_cannot_be_is_named() {
    let ran = Deployment::with(&[]).check(&[]).await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(ran.said.contains("kubectl is missing: "), "{}", ran.said);
    let ran = Deployment::with(&["kubectl"]).check(&[]).await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(
        ran.said.contains("python3 with venv is missing: "),
        "{}",
        ran.said
    );

    // One that is there already is no reason to do without the others.
    for there in [
        &["kubectl", "python3"][..],
        &["kubectl", "python3", "hadolint"],
    ] {
        let deployment = Deployment::with(there);
        let does = format!("{MAKES}; {DOES}");
        let ran = deployment.check(&[("DOES", &does)]).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        assert_eq!(
            ran.calls[1..3],
            [
                "python3 [-m] [venv] [target/deployment]",
                "target/deployment/bin/python [-m] [pip] [install] [--quiet] [--disable-pip-version-check] [--requirement] [deploy/requirements.txt]",
            ]
        );
        let compose = "/target/deployment/bin/docker-compose [config] [--quiet]";
        let asked = ran.calls.iter().any(|call| call.ends_with(compose));
        assert!(asked, "{:?}", ran.calls);
    }
}

#[tokio::test]
async fn an_image_whose_version_is_not_pinned_is_refused() {
    let deployment = Deployment::with(&TOOLS);
    for image in [
        "prom/prometheus",
        "prom/prometheus:latest",
        "prom/prometheus:v2",
        "registry.test/chatprobe:main",
    ] {
        // Not the last of them, which alone decides how a loop ends.
        fs::write(&deployment.images, format!("{image}\n{PINNED}")).unwrap();
        let ran = deployment.check(&[]).await;
        assert_eq!(ran.code, 1, "{image}: {}", ran.said);
        let says = format!("the version of {image} is not pinned");
        assert!(ran.said.contains(&says), "{}", ran.said);
    }
    // The image that somebody names is theirs.
    let theirs = [("CHATPROBE_IMAGE", "registry.test/chatprobe:main")];
    let ran = deployment.check(&theirs).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
}

#[tokio::test]
async fn a_scenario_that_kubernetes_would_not_get_is_named() {
    let deployment = Deployment::with(&TOOLS);
    deployment
        .checkout
        .write("config/scenarios/another.yaml", "");
    let ran = deployment.check(&[]).await;
    assert_eq!(ran.code, 1, "{}", ran.said);
    let says = "config/scenarios/another.yaml is not in config/kustomization.yaml";
    assert!(ran.said.contains(says), "{}", ran.said);
}

#[tokio::test]
async fn what_kubernetes_would_get_and_should_not_is_told() {
    let deployment = Deployment::with(&TOOLS);
    let rendered = fs::read_to_string(&deployment.rendered).unwrap();
    for (too_much, says) in [
        ("  name: simulator\n", "without-simulator has a simulator"),
        (
            "prometheus.io/scrape: 'true'\n",
            "service-monitor has the annotations",
        ),
    ] {
        fs::write(&deployment.rendered, format!("{rendered}{too_much}")).unwrap();
        let ran = deployment.check(&[]).await;
        assert_eq!(ran.code, 1, "{}", ran.said);
        assert!(ran.said.contains(says), "{}", ran.said);
    }
}

#[tokio::test]
async fn what_kubernetes_would_not_get_and_needs_is_told() {
    let deployment = Deployment::with(&TOOLS);
    let rendered = fs::read_to_string(&deployment.rendered).unwrap();
    for (needed, says) in [
        (
            "          claimName: chatprobe-history\n",
            "base has its history on no claim",
        ),
        ("kind: PersistentVolumeClaim\n", "base makes no claim"),
        (
            "  labels: {}\n  name: chatprobe\n",
            "base has no network policy",
        ),
        ("  name: redis\n", "rooms has no redis"),
        ("  name: rooms\n", "rooms has no rooms"),
        ("  name: behaviour\n", "behaviour has no behaviour"),
        ("kind: ServiceMonitor\n", "has no ServiceMonitor"),
        ("kind: PrometheusRule\n", "has no PrometheusRule"),
        (
            "  chatprobe-overview.json: '{}'\n",
            "grafana/dashboards/overview.json is not in grafana/",
        ),
    ] {
        assert_eq!(rendered.matches(needed).count(), 1, "{needed}");
        fs::write(&deployment.rendered, rendered.replace(needed, "")).unwrap();
        let ran = deployment.check(&[]).await;
        assert_eq!(ran.code, 1, "{needed}: {}", ran.said);
        assert!(ran.said.contains(says), "{says}: {}", ran.said);
    }
}

#[tokio::test]
async fn a_kind_that_the_validator_only_warns_of_is_no_success() {
    let deployment = Deployment::with(&TOOLS);
    let warns = format!("case $line in kubernetes-v*) echo WARN no schema ;; esac; {DOES}");
    let ran = deployment.check(&[("DOES", &warns)]).await;
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.said.contains("WARN no schema"), "{}", ran.said);
}

#[tokio::test]
async fn scripts_that_deploy_say_how_and_do_nothing_else() {
    let checkout = Checkout::with(&[]);
    let secrets = checkout.beside("secrets");
    let environment = [("SECRETS", secrets.as_str())];
    for script in [
        "deploy/check",
        "deploy/prometheus-rules",
        "deploy/secrets/create",
        "deploy/set-image",
    ] {
        for asked in ["--help", "-h"] {
            let ran = checkout.run(script, &[asked], &environment).await;
            assert_eq!(ran.code, 0, "{script}: {}", ran.said);
            let says = format!("Usage: {script}");
            assert!(ran.said.starts_with(&says), "{script}: {}", ran.said);
            assert!(!ran.said.contains("set -eu"), "{}", ran.said);
        }
    }
    for script in ["deploy/prometheus-rules", "deploy/set-image"] {
        let ran = checkout.run(script, &["--every"], &[]).await;
        assert_eq!(ran.code, 2, "{script}: {}", ran.said);
        assert!(ran.said.contains("usage: "), "{script}: {}", ran.said);
    }
    assert!(!fs::exists(secrets).unwrap());
}

#[tokio::test]
async fn the_operator_gets_the_rules_of_prometheus() {
    let checkout = Checkout::with(&[]);
    for folder in ["alerting", "prometheus"] {
        let copied = Command::new("cp")
            .args(["-r", folder])
            .arg(checkout.path("."))
            .status();
        assert!(copied.unwrap().success());
    }
    let made = "deploy/kubernetes/prometheus-operator/rules.yaml";
    let before = checkout.read(made);
    let ran = checkout.run("deploy/prometheus-rules", &[], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
    let after = checkout.read(made);
    assert!(
        before == after,
        "{made} is not what prometheus/rules/ says: run deploy/prometheus-rules"
    );
    for file in fs::read_dir("prometheus/rules").unwrap() {
        let rules = fs::read_to_string(file.unwrap().path()).unwrap();
        for line in rules.lines().filter(|line| !line.starts_with('#')) {
            let beneath = format!("\n  {line}\n");
            assert!(line.is_empty() || after.contains(&beneath), "{line}");
        }
    }
    // A folder of one's own has rules of its own.
    fs::create_dir_all(checkout.path("own/prometheus/rules")).unwrap();
    checkout.write("own/prometheus/rules/mine.yml", "groups: []\n");
    let own = checkout.path("own").display().to_string();
    let ran = checkout.run("deploy/prometheus-rules", &[&own], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
    let rules = checkout.read(&format!("own/{made}"));
    assert!(rules.contains("  name: chatprobe-mine\n"), "{rules}");
    assert!(rules.ends_with("spec:\n  groups: []\n"), "{rules}");
    assert_eq!(checkout.read(made), after);
    let ran = checkout
        .run("deploy/prometheus-rules", &["/tmp"], &[])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(
        ran.said.contains("/tmp has no prometheus/rules"),
        "{}",
        ran.said
    );
}

const TO_APPLY: &str = "deploy/kubernetes/to-apply/kustomization.yaml";

/// What a file says under `newName` and `newTag`, and of which folder.
fn image_of(checkout: &Checkout) -> Vec<String> {
    checkout
        .read(TO_APPLY)
        .lines()
        .map(str::trim)
        .filter(|line| ["new", "- ../"].iter().any(|begin| line.starts_with(begin)))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn kubernetes_gets_the_image_that_was_pushed() {
    let checkout = Checkout::with(&[]);
    let image = "registry.test:5000/a/chatprobe:main-42";
    let other = "other.test/chatprobe:0.1.0";
    for (arguments, folder, name, tag) in [
        (
            &[image][..],
            "base",
            "registry.test:5000/a/chatprobe",
            "main-42",
        ),
        (
            &[other, "without-simulator"],
            "without-simulator",
            "other.test/chatprobe",
            "0.1.0",
        ),
        (
            &[other, "service-monitor"],
            "service-monitor",
            "other.test/chatprobe",
            "0.1.0",
        ),
    ] {
        let ran = checkout.run("deploy/set-image", arguments, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        assert_eq!(ran.said, "kubectl apply -k deploy/kubernetes/to-apply/\n");
        let expected = [
            format!("- ../{folder}"),
            format!("newName: {name}"),
            format!("newTag: \"{tag}\""),
        ];
        assert_eq!(image_of(&checkout), expected);
    }
    // What Git knows stays as it is, and it does not know what was written.
    let base = "deploy/kubernetes/base/kustomization.yaml";
    assert_eq!(checkout.read(base), fs::read_to_string(base).unwrap());
    let ignored = fs::read_to_string(".gitignore").unwrap();
    assert!(
        ignored
            .lines()
            .any(|line| line == "/deploy/kubernetes/to-apply")
    );
    assert!(
        checkout
            .read(base)
            .contains("newName: registry.example.com/chatprobe\n")
    );
    assert!(
        checkout
            .read(TO_APPLY)
            .contains("name: registry.example.com/chatprobe\n")
    );
    let before = image_of(&checkout);

    // Without a tag it would be another one tomorrow, and without a registry nobody has it.
    for image in [
        "",
        "chatprobe:main-42",
        "registry.test:5000/chatprobe",
        "registry.test/chatprobe:",
        "registry.test/chatprobe:a|b",
    ] {
        let ran = checkout.run("deploy/set-image", &[image], &[]).await;
        assert_eq!(ran.code, 2, "{image}: {}", ran.said);
        assert!(ran.said.contains("usage: "), "{image}: {}", ran.said);
    }
    for folder in ["nothing", "prometheus-operator"] {
        let ran = checkout
            .run("deploy/set-image", &[image, folder], &[])
            .await;
        assert_eq!(ran.code, 2, "{folder}: {}", ran.said);
    }
    assert_eq!(image_of(&checkout), before);
}

/// The branch and the image of a build, as the script in the `Jenkinsfile` makes them.
const BRANCH: &str = r#"
def run(multibranch, git) {
    def env = [BRANCH_NAME: multibranch, BUILD_NUMBER: '7']
    def scm = null
    def checkout = { [GIT_BRANCH: git] }
    SCRIPT
    println "$env.BRANCH $env.IMAGE"
}
run(null, 'origin/main')
run(null, 'origin/develop')
run(null, 'origin/feature/a+b')
run(null, null)
run('main', 'main')
run('feature/x', 'feature/x')
run('PR-1', 'main')
"#;

#[test]
fn a_job_for_one_branch_knows_its_branch_and_only_main_is_pushed() {
    let pipeline = fs::read_to_string("Jenkinsfile").unwrap();
    let (_, push) = pipeline.split_once("stage('Push') {").unwrap();
    let (condition, _) = push.split_once("steps {").unwrap();
    assert_eq!(
        condition.trim(),
        "when { environment name: 'BRANCH', value: 'main' }"
    );
    let (_, script) = pipeline.split_once("script {").unwrap();
    let (script, _) = script.split_once("\n                }\n").unwrap();
    let script = BRANCH.replace("SCRIPT", script);
    let ran = Command::new("groovy")
        // The script runs for a moment, so that compiling it well takes longer than running it.
        .env("JAVA_OPTS", "-XX:TieredStopAtLevel=1")
        .args(["-e", &script])
        .output();
    let ran = ran.expect("groovy is missing: apt-get install groovy default-jre-headless");
    assert_eq!(
        said(&ran),
        "main chatprobe:main-7\n\
         develop chatprobe:develop-7\n\
         feature/a+b chatprobe:feature-a-b-7\n\
         unknown chatprobe:unknown-7\n\
         main chatprobe:main-7\n\
         feature/x chatprobe:feature-x-7\n\
         PR-1 chatprobe:PR-1-7\n"
    );
}
