/*
 * Names of columns that say who made the last change, or who created the row, as words with `_` between.
 * Other columns that name people (author, owner, inviter, user) may be chosen by somebody else. A wrong name
 * accuses, so those are not used.
 */

/** German, Spanish and Portuguese, French, Italian, Dutch. */
const UPDATED_ELSEWHERE =
  /^(?:(?:geaendert|geändert|bearbeitet|aktualisiert)_von|(?:modificado|actualizado|editado|alterado|atualizado)_por|(?:modifie|modifié|mis_a_jour)_par|(?:modificato|aggiornato)_da|gewijzigd_door)(?:_id)?$/;
const CREATED_ELSEWHERE =
  /^(?:(?:erstellt|angelegt|erfasst)_von|(?:creado|criado)_por|(?:cree|créé)_par|creato_da|aangemaakt_door)(?:_id)?$/;
const UPDATED =
  /^(?:last_)?(?:updated|modified|changed|edited)_by(?:_user)?(?:_id)?$|^(?:updater|last_editor|last_modifier)_id$|^(?:write|update)_uid$/;
const CREATED = /^(?:created|added|inserted)_by(?:_user)?(?:_id)?$|^creator_id$|^create_uid$/;

/** @param spelled the words of a column's name, with `_` between */
export const saysWhoUpdated = (spelled: string): boolean =>
  UPDATED.test(spelled) || UPDATED_ELSEWHERE.test(spelled);

/** @param spelled the words of a column's name, with `_` between */
export const saysWhoCreated = (spelled: string): boolean =>
  CREATED.test(spelled) || CREATED_ELSEWHERE.test(spelled);
