//! The words of the reconciler as the API says them.

use crate::{
    domain::{Deed, SubscriptionState, Why},
    reconcile::TroubleKind,
};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! mirror {
    ($(#[$doc:meta])* $view:ident of $domain:ident { $( $(#[$inner:meta])* $name:ident ),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $view { $( $(#[$inner])* $name ),+ }

        impl From<$domain> for $view {
            fn from(value: $domain) -> Self {
                match value { $( $domain::$name => Self::$name ),+ }
            }
        }
    };
}

mirror! {
    /// How a subscription is.
    SubscriptionStateView of SubscriptionState {
        /// It is there and delivers.
        Active,
        /// It is not there yet.
        Pending,
        /// Azure DevOps restricts it after failures.
        OnProbation,
        /// A person switched it off at Azure DevOps; it is left so.
        DisabledByUser,
        /// Azure DevOps switched it off after failures.
        DisabledBySystem,
        /// Its owner is gone.
        DisabledByInactiveIdentity,
        /// It could not be made or mended.
        Failing,
        /// The subscription was made, and Azure DevOps does not show it to the connection's identity.
        NotShown,
        /// This server does not know the event type.
        NotOffered,
        /// No binding wants it any more, and it could not be removed yet.
        Unwanted,
        /// A person is to make it; nothing has arrived yet.
        ManualExpected,
        /// A person is to make it, and notifications of its event type arrive.
        ManualReceiving,
    }
}

mirror! {
    /// Why something is done to a subscription.
    WhyView of Why {
        /// A binding wants it and it is not there.
        Missing,
        /// It is there and was not recorded.
        Found,
        /// It delivers to another URL.
        Url,
        /// Its filters or what it sends are others.
        Inputs,
        /// Its resource version is another.
        Version,
        /// Its password is of an older generation.
        Generation,
        /// Somebody else than the connection's identity made it.
        Owner,
        /// Azure DevOps restricted it after failures.
        OnProbation,
        /// Azure DevOps switched it off after failures.
        DisabledBySystem,
        /// Its owner is gone.
        DisabledByInactiveIdentity,
        /// A person switched it off.
        DisabledByUser,
        /// Another one does the same.
        Duplicate,
        /// No binding wants it any more.
        Undesired,
    }
}

mirror! {
    /// What was done.
    DeedView of Deed {
        /// Made at Azure DevOps.
        Created,
        /// Recorded as ours.
        Adopted,
        /// Made anew, then the old one deleted.
        Replaced,
    }
}

mirror! {
    /// A kind of trouble.
    TroubleKindView of TroubleKind {
        /// The gateway was not told where it is reached.
        NoPublicUrl,
        /// The connection's settings cannot be used.
        Settings,
        /// The credential is missing or not accepted.
        Unauthorized,
        /// The credential may not do this.
        Forbidden,
        /// Azure DevOps asks to wait.
        Throttled,
        /// Azure DevOps cannot be reached.
        Unreachable,
        /// What a binding selects is not there or may not be seen.
        Unresolved,
        /// Something could not be made, mended or removed.
        Failing,
        /// There are more subscriptions than there may be.
        TooMany,
        /// Azure DevOps does not show the connection's identity the subscriptions that were made, so nothing more is made.
        NotShown,
        /// Events of classic releases are not available; they are optional.
        NoReleases,
        /// The work takes longer than somebody waits.
        Unfinished,
    }
}
