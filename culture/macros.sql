-- Queries over the log that every read-only connection has by name: temporary, so they are in no log, and
-- runs of earlier versions have them too.

CREATE TEMP MACRO library_at(last_round) AS TABLE
WITH written AS (
    SELECT *, outcome IN ('head', 'merged') AS heads FROM lake.revisions WHERE round <= last_round
), notes_then AS (  -- column by column, so that whoever asks for no bodies does not wait for them
    SELECT note_id,
        arg_max(revision_id, library_version) FILTER (heads) AS revision_id,
        arg_max(round, library_version) FILTER (heads) AS revised_in,
        arg_max(author, library_version) FILTER (heads) AS revised_by,
        arg_max_null(policy_version, library_version) FILTER (heads) AS policy_version,
        arg_max(tokens, library_version) FILTER (heads) AS tokens,
        arg_max(body, library_version) FILTER (heads) AS body,
        max(library_version) FILTER (heads) AS library_version,
        arg_max(outcome, library_version) FILTER (outcome <> 'branch') IN ('archived', 'quarantined') AS archived,
        arg_max(evidence->>'shelf', library_version) FILTER (outcome = 'published') AS shelf,
        list(revision_id ORDER BY library_version) FILTER (outcome = 'branch') AS branches,
        flatten(list(parents) FILTER (len(parents) > 0 AND outcome NOT IN ('archived', 'quarantined')))
            AS taken_up
    FROM written GROUP BY note_id
)
SELECT n.note_id, n.round, n.kind, n.domain, coalesce(t.shelf, n.shelf) AS shelf, n.title, n.author, t.archived,
    list_filter(coalesce(t.branches, []), lambda b: NOT coalesce(list_contains(t.taken_up, b), false)) AS open_branches,
    t.revision_id, t.revised_in, t.revised_by, t.policy_version, t.tokens, t.body, t.library_version
FROM notes_then t
JOIN lake.notes n USING (note_id)
WHERE t.revision_id IS NOT NULL
ORDER BY n.note_id;
COMMENT ON MACRO TABLE library_at IS 'One row a note of the library as it was at the end of a round, with its head then, whether it was out of sight (archived or quarantined), and the branches that were open.';
