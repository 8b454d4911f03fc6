-- What a department issued, in the order of issue: how an archive is fetched, page by page.
CREATE INDEX licences_by_issue ON licences (item, department, issue_time, code) WHERE state = 'ISSUED';
