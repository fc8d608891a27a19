//! PC217 `header-conflict`.

use super::{silent, trips};

#[test]
fn of_one_header_one_thing_is_said() {
    trips(
        "PC217",
        &[
            ("headers: [{set: {X-A: a}}, {set: {x-a: b}}]", "x-a"),
            ("headers: [{on: [mcp], set: {X-A: a}}, {set: {X-A: b}}]", "X-A"),
            ("headers: [{set: {X-A: a}, remove: [X-A]}]", "X-A"),
            ("headers: [{on: [token], set: {X-A: a}}, {on: [oauth], remove: [x-a]}]", "x-a"),
            ("headers: [{set: {X-A: a}, when: context.tls}, {set: {X-A: b}, when: ' context.tls '}]", "X-A"),
            ("headers: [{on: [mcp, token], set: {X-A: a}}, {on: [token, jwks], set: {X-A: b}}]", "X-A"),
        ],
    );
    silent(
        "PC217",
        &[
            "headers: [{set: {X-A: a}}, {set: {X-B: b}}]",
            "headers: [{set: {X-A: a}}, {on: [mcp], set: {X-A: b}}]",
            "headers: [{set: {X-A: a}}, {set: {X-A: b}, when: context.tls}]",
            "headers: [{on: [mcp], set: {X-A: a}}, {on: [oauth], set: {X-A: b}}]",
            "headers: [{on: [oauth], set: {X-A: a}}, {on: [token], remove: [X-A]}]",
        ],
    );
}
