-- Version 3: which process wrote an instant, for its clock may differ from ours.

alter table code add column made_by integer;
alter table family add column rotated_by integer;

-- Tokens with a grant are found by it; one index less is kept up at every refresh.
drop index token_principal;
create index token_principal on token (principal, principal_kind) where grant_id is null;
