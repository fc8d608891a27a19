"""The audit trail against what callers were told."""

from trail import records


def verify(trail, tally):
    """Every decision has one access, and every answer its decisions: its caller's, of its method and id."""
    decisions, accesses, open_ended = {}, {}, 0
    by_agent = {}
    for record in records(trail):
        known = record["id"]
        if record["type"] == "access":
            accesses[known] = accesses.get(known, 0) + 1
            open_ended += record["response"] is None
        elif record["type"] == "decision" and "request" in record:
            decisions[known] = record
            if "response" in record:
                accesses[known] = accesses.get(known, 0) + 1
            by_agent.setdefault(record.get("peer", {}).get("agent"), []).append(record)
    for known in decisions:
        if accesses.get(known) != 1:
            tally.violation("not one access for a decision", f"{accesses.get(known, 0)}: {decisions[known]}")
    for agent, due in tally.answered.items():
        principal, method, rpc_id, verdict = due
        found = by_agent.get(agent, [])
        if not any(record["request"]["method"] == method for record in found):
            tally.violation("an answer without a decision", f"{agent} {due}")
        for record in found:
            request = record["request"]
            said = (record.get("principal", {}).get("id"), request["method"], request.get("rpc_id"))
            # Each resource that a listener wants to hear of is decided besides.
            besides = method == "subscriptions/listen" and said == (principal, "resources/subscribe", rpc_id)
            if said != (principal, method, rpc_id) and not besides:
                tally.violation("a decision about another", f"{agent} {due}: {record}")
        own = [record["decision"]["verdict"] for record in found if record["request"]["method"] == method]
        if verdict and own and own[-1] != verdict:
            tally.violation("another verdict than was told", f"{agent} {due}: {found}")
    return len(decisions), open_ended
