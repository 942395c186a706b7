//! What the context tells of a run as a whole.

use std::collections::BTreeMap;

use classifiers::{Cause, Context};
use events::{CheckerItem, ContextReport, Endpoint, GroupCount, HealthCheckItem};

/// The report's part; `groups` says how many resets each service had, and of which causes.
pub(crate) fn report(context: &Context, groups: &[GroupCount]) -> ContextReport {
    ContextReport {
        scans: context.scanners().iter().map(Into::into).collect(),
        health_checks: health_checks(context, groups),
        limits: context.limits().iter().map(Into::into).collect(),
        floods: context.floods().iter().map(Into::into).collect(),
        ..ContextReport::of(context)
    }
}

fn health_checks(context: &Context, groups: &[GroupCount]) -> Vec<HealthCheckItem> {
    let mut services: BTreeMap<Endpoint, Vec<CheckerItem>> = BTreeMap::new();
    for checker in &context.checkers() {
        let service = Endpoint { ip: checker.service.address.into(), port: checker.service.port };
        services.entry(service).or_default().push(checker.into());
    }
    let mut items: Vec<HealthCheckItem> = services
        .into_iter()
        .map(|(service, checkers)| {
            let resets = |of: &dyn Fn(&GroupCount) -> bool| {
                let of_service = groups.iter().filter(|group| group.server == service);
                of_service.filter(|group| of(group)).map(|group| group.count).sum()
            };
            let hidden = resets(&|group| group.cause == Cause::HealthCheck);
            HealthCheckItem { service, checkers, resets: resets(&|_| true), hidden }
        })
        .filter(|item| item.hidden > 0)
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.hidden));
    items
}
