-- approved_by names the second administrator, '' for none: versions from before this step had none.
ALTER TABLE policy_versions ADD COLUMN approved_by {{.Text}} NOT NULL DEFAULT '';

-- Numbers that count up in the transaction of what they count. The row makes those who count queue.
CREATE TABLE counters (
    name  {{.Text}} NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('locks', 0), ('pending', 0);

-- Each change of this table counts up 'locks'.
CREATE TABLE locks (
    kind    {{.Text}} NOT NULL,
    key     {{.Text}} NOT NULL,
    reason  {{.Text}} NOT NULL,
    put_by  {{.Text}} NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);

-- The id is the value of 'pending'. classes and changes are JSON. declaration is ciphertext; it stands last because it is long.
CREATE TABLE pending_changes (
    id          BIGINT NOT NULL PRIMARY KEY,
    proposed_by {{.Text}} NOT NULL,
    why         {{.Text}} NOT NULL,
    created     BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    base        BIGINT NOT NULL,
    classes     {{.Text}} NOT NULL,
    changes     {{.Text}} NOT NULL,
    forced      BOOLEAN NOT NULL,
    form        {{.Text}} NOT NULL,
    state       {{.Text}} NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'expired')),
    decided_by  {{.Text}} NOT NULL,
    decided     BIGINT NOT NULL,
    note        {{.Text}} NOT NULL,
    version     BIGINT NOT NULL,
    declaration {{.Bytes}}
);

-- sealed is ciphertext: the form names contact persons.
CREATE TABLE forms (
    number     {{.Text}} NOT NULL PRIMARY KEY,
    received   BIGINT NOT NULL,
    entered_by {{.Text}} NOT NULL,
    unit       {{.Text}} NOT NULL,
    digest     {{.Text}} NOT NULL,
    pending    BIGINT NOT NULL,
    sealed     {{.Bytes}}
);
CREATE INDEX forms_by_age ON forms (received);

-- secret names the secret; it is not its hash.
CREATE TABLE secret_uses (
    app_key   {{.Text}} NOT NULL,
    secret    {{.Text}} NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (app_key, secret)
);
