//! What pages load, from here. Its paths change with its content, so that browsers keep it for good.

use poem::{
    Endpoint, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::{method_not_allowed, page};

/// A file that pages load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset(pub(super) &'static page::Asset);

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if request.method() != Method::GET {
            return Ok(method_not_allowed("GET"));
        }
        let mut response = Response::builder().status(StatusCode::OK).body(self.0.body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.0.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(page::Asset::CACHE_CONTROL));
        Ok(response)
    }
}
