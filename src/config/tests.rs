use std::path::Path;

use super::*;

#[test]
fn the_shipped_configuration_is_valid() {
    let plan = Plan::load(Path::new("config/chatprobe.yaml")).unwrap();
    assert_eq!(plan.probes.len(), 1);
    assert_eq!(plan.bursts.len(), 2);
}
