CREATE TABLE functional (
  id INT PRIMARY KEY, name VARCHAR(40) DEFAULT (UPPER('x;')), hidden INT INVISIBLE DEFAULT 5,
  place POINT NOT NULL, address INET6, tag UUID, four INET4,
  KEY ignored_one (name) IGNORED, sure INT CHECK (sure <> 4), tags JSON
)
;;
INSERT INTO functional (id, name, hidden, place, address, tag, four) VALUES
  (1, 'x', 9, POINT(1, 2), '2001:db8::ff', '123e4567-e89b-12d3-a456-426655440000', '192.0.2.1'),
  (2, DEFAULT, 8, POINT(1, 2), NULL, NULL, NULL)
;;
CREATE TABLE packed (t TEXT COMPRESSED)
;;
INSERT INTO packed VALUES (REPEAT('abc', 1000))
;;
CREATE AGGREGATE FUNCTION total(x INT) RETURNS INT
BEGIN
  DECLARE sum INT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN sum;
  LOOP FETCH GROUP NEXT ROW; SET sum = sum + x; END LOOP;
END
