//! The methods of both eras.
//!
//! A method that is not here is unknown; a method that is here is led by the compiler to every place
//! that must say what becomes of it.
//!
//! SPEC: MCP schema, `ClientRequest`, `ClientNotification`, `ServerNotification`.
//! To add a method: a line in `methods!`.

use std::fmt;

use super::version::Era;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $shape:ident, [$($era:ident)*];)+) => {
        /// A method of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $name,)+
        }

        impl Method {
            /// Every method, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The method `text` names, exactly.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The method as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether it is a notification: it has no id and no answer.
            #[must_use]
            pub const fn is_notification(self) -> bool {
                match self {
                    $(Self::$name => matches!(Shape::$shape, Shape::Notification),)+
                }
            }

            /// The eras that know it.
            #[must_use]
            pub const fn eras(self) -> &'static [Era] {
                match self {
                    $(Self::$name => &[$(Era::$era,)*],)+
                }
            }
        }
    };
}

enum Shape {
    Request,
    Notification,
}

methods! {
    /// Opens a legacy session.
    Initialize = "initialize", Request, [Legacy];
    /// Asks a modern server what it is.
    ServerDiscover = "server/discover", Request, [Modern];
    /// Asks whether the other side lives.
    Ping = "ping", Request, [Legacy];
    /// Lists tools.
    ToolsList = "tools/list", Request, [Legacy Modern];
    /// Calls a tool.
    ToolsCall = "tools/call", Request, [Legacy Modern];
    /// Lists prompts.
    PromptsList = "prompts/list", Request, [Legacy Modern];
    /// Renders a prompt.
    PromptsGet = "prompts/get", Request, [Legacy Modern];
    /// Lists resources.
    ResourcesList = "resources/list", Request, [Legacy Modern];
    /// Lists templates of resources.
    ResourcesTemplatesList = "resources/templates/list", Request, [Legacy Modern];
    /// Reads a resource.
    ResourcesRead = "resources/read", Request, [Legacy Modern];
    /// Asks for completions of an argument.
    CompletionComplete = "completion/complete", Request, [Legacy Modern];
    /// Sets the level of log notifications.
    LoggingSetLevel = "logging/setLevel", Request, [Legacy];
    /// Asks to be told of changes of a resource.
    ResourcesSubscribe = "resources/subscribe", Request, [Legacy];
    /// Takes that back.
    ResourcesUnsubscribe = "resources/unsubscribe", Request, [Legacy];
    /// Opens a modern stream of changes.
    SubscriptionsListen = "subscriptions/listen", Request, [Modern];
    /// The session is open.
    Initialized = "notifications/initialized", Notification, [Legacy];
    /// A request is not wanted any more.
    Cancelled = "notifications/cancelled", Notification, [Legacy Modern];
    /// How far a request has come.
    Progress = "notifications/progress", Notification, [Legacy Modern];
    /// The caller's roots changed.
    RootsListChanged = "notifications/roots/list_changed", Notification, [Legacy];
    /// The server's tools changed.
    ToolsListChanged = "notifications/tools/list_changed", Notification, [Legacy Modern];
    /// The server's prompts changed.
    PromptsListChanged = "notifications/prompts/list_changed", Notification, [Legacy Modern];
    /// The server's resources changed.
    ResourcesListChanged = "notifications/resources/list_changed", Notification, [Legacy Modern];
    /// A stream of changes has begun.
    SubscriptionsAcknowledged = "notifications/subscriptions/acknowledged", Notification, [Modern];
    /// A resource changed.
    ResourcesUpdated = "notifications/resources/updated", Notification, [Legacy Modern];
    /// A line of the server's log.
    LogMessage = "notifications/message", Notification, [Legacy Modern];
    /// A server asks a person something. In the modern era it stands in `inputRequests` alone.
    ElicitationCreate = "elicitation/create", Request, [Legacy];
    /// A server asks the caller's model something. Modern: as above.
    SamplingCreateMessage = "sampling/createMessage", Request, [Legacy];
    /// A server asks where the caller works. Modern: as above.
    RootsList = "roots/list", Request, [Legacy];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_reads_back_and_only_exactly() {
        for &method in Method::ALL {
            assert_eq!(Method::from_text(method.as_str()), Some(method));
            assert_eq!(Method::from_text(&method.as_str().to_uppercase()), None);
            assert_eq!(method.is_notification(), method.as_str().starts_with("notifications/"));
            assert!(!method.eras().is_empty());
        }
    }
}
