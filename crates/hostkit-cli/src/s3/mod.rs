//! A client of S3, as much as the command line needs: signed URLs, objects, lists, uploads in parts. Keys are the bucket's,
//! whatever is in them: they are encoded for a URL and never taken for paths here.

mod bucket;
mod connection;
mod upload;

pub(crate) use bucket::Bucket;
pub(crate) use connection::Endpoint;
