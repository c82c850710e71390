//! Classic releases and their deployments.
//!
//! Releases are listed by when they were made and deployments by when they were last changed. So an abandoned release is
//! found only within the window that it was made in; later the history alone tells of it.

use super::{Stopped, page, scale::Scale};
use crate::{
    azure::client::{AzureDevOps, Window},
    recover::{compose, place::What},
};
use serde::Deserialize;
use serde_json::value::RawValue;

const CREATED: &str = "ms.vss-release.release-created-event";

/// What of a record says whose it is.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Of {
    release_definition: Definition,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Definition {
    name: Option<String>,
}

fn pipeline(json: &RawValue) -> Option<String> {
    serde_json::from_str::<Of>(json.get()).unwrap_or_default().release_definition.name
}

pub(super) async fn sweep(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    what: &What,
    window: Window,
) -> Result<(), Stopped> {
    if !scale.is_told(CREATED) {
        return Ok(());
    }
    let project = scale.order.place.project.to_string();
    let mut from = None;
    loop {
        let listed = scale.ask(azure.releases(&project, window, page(from))).await?;
        let ours = listed.items.iter().filter(|own| what.has_release(own.definition, pipeline(&own.json).as_deref()));
        let composed = ours.flat_map(|own| {
            let abandoned = compose::abandoned(scale.home(), own);
            [compose::released(scale.home(), own)].into_iter().chain(abandoned)
        });
        scale.take(composed.collect()).await?;
        from = listed.next;
        if from.is_none() {
            break;
        }
    }
    loop {
        let listed = scale.ask(azure.deployments(&project, window, page(from))).await?;
        let ours = listed.items.iter().filter(|own| what.has_release(own.definition, pipeline(&own.json).as_deref()));
        let composed = ours.flat_map(|own| compose::deployment(scale.home(), own));
        scale.take(composed.collect()).await?;
        from = listed.next;
        if from.is_none() {
            return Ok(());
        }
    }
}
