//! Many things at once, begun in order and answered in order.

use futures_util::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

/// All answers, or the first failure in order; with it nothing more is begun.
pub(super) async fn in_order<T, E>(futures: Vec<BoxFuture<'_, Result<T, E>>>, at_once_max: usize) -> Result<Vec<T>, E> {
    stream::iter(futures).buffered(at_once_max).try_collect().await
}
