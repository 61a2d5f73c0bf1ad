-- Queries over the log that every read-only connection has by name: temporary, so they are in no log, and
-- runs of earlier versions have them too.

CREATE TEMP MACRO library_at(last_round) AS TABLE
WITH written AS (  -- without the bodies: whoever asks for none is not to wait for them
    SELECT note_id, revision_id, parents, outcome, evidence, library_version
    FROM lake.revisions WHERE round <= last_round
), notes_then AS (
    SELECT note_id,
        arg_max(revision_id, library_version) FILTER (outcome IN ('head', 'merged')) AS revision_id,
        arg_max(outcome, library_version) FILTER (outcome <> 'branch') IN ('archived', 'quarantined') AS archived
    FROM written GROUP BY note_id
), taken_up AS (
    SELECT DISTINCT unnest(parents) AS revision_id FROM written WHERE outcome NOT IN ('archived', 'quarantined')
), moved AS (
    SELECT note_id, arg_max(evidence->>'shelf', library_version) AS shelf
    FROM written WHERE outcome = 'published' GROUP BY note_id
), branches AS (
    SELECT note_id, list(revision_id ORDER BY library_version) AS open_branches
    FROM written ANTI JOIN taken_up USING (revision_id) WHERE outcome = 'branch' GROUP BY note_id
)
SELECT n.note_id, n.round, n.kind, n.domain, coalesce(m.shelf, n.shelf) AS shelf, n.title, n.author, t.archived,
    coalesce(b.open_branches, []) AS open_branches,
    h.revision_id, h.round AS revised_in, h.author AS revised_by, h.policy_version, h.tokens, h.body,
    h.library_version
FROM notes_then t
JOIN lake.notes n USING (note_id)
JOIN lake.revisions h USING (revision_id)
LEFT JOIN branches b ON b.note_id = t.note_id
LEFT JOIN moved m ON m.note_id = t.note_id
ORDER BY n.note_id;
COMMENT ON MACRO TABLE library_at IS 'One row a note of the library as it was at the end of a round, with its head then, whether it was out of sight (archived or quarantined), and the branches that were open.';
