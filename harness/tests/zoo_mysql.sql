CREATE TABLE functional (
  id INT PRIMARY KEY, name VARCHAR(40) DEFAULT (UPPER('x;')), hidden INT INVISIBLE DEFAULT 5,
  place POINT NOT NULL SRID 4326, tags JSON,
  KEY loud ((UPPER(name))), KEY late ((id * 2) DESC), KEY unseen (name) INVISIBLE,
  KEY many ((CAST(tags->'$' AS UNSIGNED ARRAY))), SPATIAL KEY (place),
  CONSTRAINT unheeded CHECK (id > 100) NOT ENFORCED
)
;;
INSERT INTO functional (id, name, hidden, place, tags) VALUES
  (1, 'x', 9, ST_SRID(POINT(1, 2), 4326), '[1, 2]'), (2, DEFAULT, 8, ST_SRID(POINT(1, 2), 4326), NULL)
;;
CREATE TABLE vectors (v VECTOR(3))
;;
INSERT INTO vectors VALUES (STRING_TO_VECTOR('[1.5, -2, 3e-10]')), (NULL)
;;
CREATE VIEW windows AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)
  SELECT i, ROW_NUMBER() OVER (ORDER BY i DESC) AS r FROM n
;;
CREATE TABLE documents (id INT AUTO_INCREMENT PRIMARY KEY, found JSON)
;;
INSERT INTO documents (found) VALUES
  (CAST(CAST('2020-01-01' AS DATE) AS JSON)), (JSON_OBJECT('a', JSON_ARRAY(1, CAST('10:00' AS TIME)))),
  (JSON_ARRAY(NOW(6))), (JSON_OBJECT('a b"c', CAST(12.3456 AS DECIMAL(8, 4)))),
  (JSON_ARRAY(JSON_OBJECT('a', CAST('b' AS BINARY)))), ('null'), (NULL),
  ('{"a": [1, 2.5, "2020-01-01", null, true, {"b": {}}], "c": 18446744073709551615}')
