//! The header fields that mirror a modern request: its method, its name and those of its parameters
//! that the tool's schema asks for. A caller's own fields never go out.
//!
//! SPEC: MCP 2026-07-28, transports, "Request Metadata"; CL-08, CL-09, PX-28, PX-29.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    mcp::{Kind, Method, Object, header as field},
    upstream::{Outgoing, catalog::Catalog},
};

/// Adds the fields of a request.
pub(super) fn add(headers: &mut HeaderMap, outgoing: &Outgoing, catalog: &Catalog) {
    headers.insert(field::METHOD, HeaderValue::from_static(outgoing.method.as_str()));
    let named = match outgoing.method {
        Method::ToolsCall | Method::PromptsGet => "name",
        Method::ResourcesRead => "uri",
        _ => return,
    };
    let params = std::str::from_utf8(&outgoing.params).ok().and_then(|text| Object::read(text).ok());
    let Some((params, name)) = params.as_ref().and_then(|params| Some((params, params.text(named)?))) else { return };
    if let Ok(value) = HeaderValue::try_from(&*field::encode(&name)) {
        headers.insert(field::NAME, value);
    }
    if outgoing.method == Method::ToolsCall
        && let Some(tools) = catalog.latest(Kind::Tools)
    {
        let arguments = params.get("arguments");
        for param in tools.param_headers(&name) {
            let name = HeaderName::try_from(param.field()).ok();
            let value = param.value(arguments).and_then(|value| HeaderValue::try_from(value).ok());
            if let (Some(name), Some(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
    }
}
