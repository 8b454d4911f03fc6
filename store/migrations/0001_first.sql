-- Times are nanoseconds since 1970 UTC, 0 for none. Digests are keyed hashes; sealed is ciphertext: nothing here is personal in clear.

CREATE TABLE licences (
    code           {{.Text}} NOT NULL PRIMARY KEY,
    item           {{.Text}} NOT NULL,
    department     {{.Text}} NOT NULL,
    division_code  {{.Text}} NOT NULL,
    biz_num        {{.Text}} NOT NULL,
    state          {{.Text}} NOT NULL CHECK (state IN ('DRAFT', 'REGISTERED', 'ISSUED', 'ABOLISHED', 'DELETED')),
    revision       BIGINT NOT NULL,
    id_code_digest {{.Bytes}},
    created        BIGINT NOT NULL,
    issue_time     BIGINT NOT NULL,
    sealed         {{.Bytes}}
);

-- One living licence of an item for each id_code. A licence without one (NULL) never collides.
CREATE UNIQUE INDEX licences_living_id_code ON licences (item, id_code_digest) WHERE state IN ('REGISTERED', 'ISSUED');
CREATE INDEX licences_by_item ON licences (item, state, department, created);

-- A licence is found by each of its holders. place keeps their order.
CREATE TABLE licence_holders (
    digest {{.Bytes}} NOT NULL,
    code   {{.Text}} NOT NULL REFERENCES licences (code),
    place  BIGINT NOT NULL,
    PRIMARY KEY (digest, code)
);
CREATE UNIQUE INDEX licence_holders_by_licence ON licence_holders (code, place);

CREATE TABLE licence_codes (
    digest            {{.Bytes}} NOT NULL PRIMARY KEY,
    kind              {{.Text}} NOT NULL,
    licence_code      {{.Text}} NOT NULL,
    app               {{.Text}} NOT NULL,
    account           {{.Text}} NOT NULL,
    department        {{.Text}} NOT NULL,
    service_item      {{.Text}} NOT NULL,
    service_item_name {{.Text}} NOT NULL,
    biz_num           {{.Text}} NOT NULL,
    sensitive         BOOLEAN NOT NULL,
    created           BIGINT NOT NULL,
    expires           BIGINT NOT NULL,
    revision          BIGINT NOT NULL,
    redeemer          {{.Text}}
);
CREATE INDEX licence_codes_by_expiry ON licence_codes (expires);

-- Ending sessions by account or by age scans: it is rare, the table is short, and an index on last_seen would make each touch dearer.
CREATE TABLE sessions (
    digest      {{.Bytes}} NOT NULL PRIMARY KEY,
    id          {{.Text}} NOT NULL,
    app_key     {{.Text}} NOT NULL,
    account     {{.Text}} NOT NULL,
    department  {{.Text}} NOT NULL,
    by_org_code BOOLEAN NOT NULL,
    address     {{.Text}} NOT NULL,
    created     BIGINT NOT NULL,
    last_seen   BIGINT NOT NULL,
    expires     BIGINT NOT NULL
);

CREATE TABLE attempts (
    key          {{.Bytes}} NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    locks        BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    last_failure BIGINT NOT NULL
);
CREATE INDEX attempts_by_age ON attempts (last_failure);

-- decided_at is text (RFC 3339) because the version's hash covers it with its offset.
CREATE TABLE policy_versions (
    number      BIGINT NOT NULL PRIMARY KEY,
    decided_at  {{.Text}} NOT NULL,
    decided_by  {{.Text}} NOT NULL,
    why         {{.Text}} NOT NULL,
    parent      {{.Text}} NOT NULL,
    hash        {{.Text}} NOT NULL,
    lines       {{.Text}} NOT NULL,
    changes     {{.Bytes}},
    policy_text {{.Text}},
    platform    {{.Bytes}}
);

-- The registry as the newest policy version has it. body is JSON; place keeps the order of the declaration.
CREATE TABLE registry_objects (
    kind  {{.Text}} NOT NULL,
    code  {{.Text}} NOT NULL,
    place BIGINT NOT NULL,
    body  {{.Text}} NOT NULL,
    PRIMARY KEY (kind, code)
);
