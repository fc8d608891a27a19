//! One demo server over standard input and output, legacy era, until its input ends.
//!
//! One thing at a time, in the order it was asked: these servers have nothing to wait for.
//!
//! SPEC: MCP 2025-11-25 (and 2025-06-18, 2025-03-26), "stdio".

use std::io::{self, BufRead, Read as _, Write};

use serde_json::{Map, Value, json, value::RawValue};

use super::{Arguments, Demo, Done, Failure};
use crate::mcp::{Id, Message, Method, Version, code, envelope};

/// The longest message that is read.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Answers what is asked on `input` until it ends.
///
/// # Errors
/// When reading or writing fails.
pub fn serve(demo: &dyn Demo, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut out = Out { to: &mut output, result: Ok(()) };
        let answer = match Message::from_caller(&line) {
            Ok(Message::Request(request)) => Some(answer(demo, &request.id, &request.method, request.params, &mut out)),
            Ok(Message::Notification(_) | Message::Response(_)) => None,
            Err(error) => Some(envelope::error(
                error.id.as_ref(),
                &envelope::error_object(error.problem.code(), &error.to_string(), None),
            )),
        };
        out.result?;
        if let Some(mut answer) = answer {
            answer.push(b'\n');
            output.write_all(&answer)?;
            output.flush()?;
        }
    }
}

/// Where notifications go while a request is worked on.
struct Out<'o> {
    to: &'o mut dyn Write,
    result: io::Result<()>,
}

impl Out<'_> {
    fn notify(&mut self, method: Method, params: &str) {
        let mut line = envelope::notification(method, params.as_bytes());
        line.push(b'\n');
        if self.result.is_ok() {
            self.result = self.to.write_all(&line).and_then(|()| self.to.flush());
        }
    }
}

fn answer(demo: &dyn Demo, id: &Id, method: &str, params: Option<&RawValue>, out: &mut Out<'_>) -> Vec<u8> {
    match result(demo, method, params, out) {
        Ok(result) => envelope::result(id, result.to_string().as_bytes()),
        Err((code, why)) => envelope::error(Some(id), &envelope::error_object(code, &why, None)),
    }
}

fn result(demo: &dyn Demo, method: &str, params: Option<&RawValue>, out: &mut Out<'_>) -> Result<Value, (i32, String)> {
    let params: Map<String, Value> = params
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|_| bad("`params` must be an object"))?
        .unwrap_or_default();
    let unknown = || (code::METHOD_NOT_FOUND, format!("there is no method `{method}`"));
    match Method::from_text(method).ok_or_else(unknown)? {
        Method::Initialize => Ok(initialize(demo, &params)),
        Method::Ping => Ok(json!({})),
        Method::ToolsList => Ok(json!({"tools": demo.tools()})),
        Method::ToolsCall => call(demo, params, out),
        Method::PromptsList => demo.prompts().map(|prompts| json!({"prompts": prompts})).ok_or_else(unknown),
        Method::PromptsGet if demo.prompts().is_some() => {
            let (name, arguments) = named(params)?;
            let text = demo.prompt(&name, &arguments).map_err(|why| bad(why.to_string()))?;
            Ok(json!({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}))
        }
        Method::ResourcesList => demo.resources().map(|found| json!({"resources": found})).ok_or_else(unknown),
        Method::ResourcesTemplatesList if demo.resources().is_some() => {
            Ok(json!({"resourceTemplates": demo.templates()}))
        }
        Method::ResourcesRead if demo.resources().is_some() => {
            let uri = params.get("uri").and_then(Value::as_str).ok_or_else(|| bad("`uri` is missing"))?;
            let (text, media) = demo.read(uri).map_err(|why| (code::RESOURCE_NOT_FOUND, why.to_string()))?;
            Ok(json!({"contents": [{"uri": uri, "mimeType": media, "text": text}]}))
        }
        Method::PromptsGet
        | Method::ResourcesTemplatesList
        | Method::ResourcesRead
        | Method::ServerDiscover
        | Method::CompletionComplete
        | Method::LoggingSetLevel
        | Method::ResourcesSubscribe
        | Method::ResourcesUnsubscribe
        | Method::SubscriptionsListen
        | Method::Initialized
        | Method::Cancelled
        | Method::Progress
        | Method::RootsListChanged
        | Method::ToolsListChanged
        | Method::PromptsListChanged
        | Method::ResourcesListChanged
        | Method::ResourcesUpdated
        | Method::LogMessage
        | Method::SubscriptionsAcknowledged
        | Method::ElicitationCreate
        | Method::SamplingCreateMessage
        | Method::RootsList => Err(unknown()),
    }
}

fn initialize(demo: &dyn Demo, params: &Map<String, Value>) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    let mut capabilities = json!({"tools": {}});
    if let Some(capabilities) = capabilities.as_object_mut() {
        if demo.prompts().is_some() {
            capabilities.insert("prompts".into(), json!({}));
        }
        if demo.resources().is_some() {
            capabilities.insert("resources".into(), json!({"listChanged": true}));
        }
    }
    json!({
        "protocolVersion": Version::negotiate(asked).as_str(),
        "capabilities": capabilities,
        "serverInfo": {"name": format!("portcullis-demo-{}", demo.name()), "version": env!("CARGO_PKG_VERSION")},
        "instructions": demo.instructions()
    })
}

fn call(demo: &dyn Demo, params: Map<String, Value>, out: &mut Out<'_>) -> Result<Value, (i32, String)> {
    let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).cloned();
    let (name, arguments) = named(params)?;
    let mut progress = |done: usize, total: usize| {
        if let Some(token) = &token {
            let params = json!({"progressToken": token, "progress": done, "total": total});
            out.notify(Method::Progress, &params.to_string());
        }
    };
    match demo.call(&name, &arguments, &mut progress) {
        Ok(Done { text, structured, resources_changed }) => {
            if resources_changed {
                out.notify(Method::ResourcesListChanged, "");
            }
            let mut result = json!({"content": [{"type": "text", "text": text}], "isError": false});
            if let (Some(structured), Some(result)) = (structured, result.as_object_mut()) {
                result.insert("structuredContent".into(), structured);
            }
            Ok(result)
        }
        Err(Failure::Unknown(why)) => Err(bad(why)),
        Err(Failure::Failed(why)) => Ok(json!({"content": [{"type": "text", "text": why}], "isError": true})),
    }
}

fn named(mut params: Map<String, Value>) -> Result<(String, Arguments), (i32, String)> {
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| bad("`name` is missing"))?.to_owned();
    match params.remove("arguments") {
        None => Ok((name, Arguments::default())),
        Some(Value::Object(arguments)) => Ok((name, Arguments(arguments))),
        Some(_) => Err(bad("`arguments` must be an object")),
    }
}

fn bad(why: impl Into<String>) -> (i32, String) {
    (code::INVALID_PARAMS, why.into())
}
