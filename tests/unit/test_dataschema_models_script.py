from __future__ import annotations

from instance.learning.dataschema.values import Column, ForeignKey
from tests.support.declared import said, tables


def test_entities_of_typeorm() -> None:
    found = tables(
        entities_ts="""
            abstract class Stamped { @CreateDateColumn() createdAt: Date; }
            @Entity({ name: "users" })
            @Index(["email", "org"])
            @Unique(["email", "orgId"])
            export class User extends Stamped {
              @PrimaryGeneratedColumn("uuid") id!: string;
              @Column({ type: "varchar", nullable: true, unique: true })
              email?: string | null;
              @Column({ type: "enum", enum: Role }) role: Role;
              @Column("simple-array", { name: "labels" }) tags: string[];
              @ManyToOne(() => Org, (org) => org.users, { nullable: false })
              @JoinColumn()
              org: Org;
              @OneToMany(() => Post, (post) => post.user) posts: Post[];
            }
            @Entity() export class Org { @PrimaryColumn() code: number; }
            """
    )
    users = found["users"]
    assert said(users) == {
        "id": "uuid", "email": "text?", "role": "text", "labels": "text", "orgId": "integer", "createdAt": "timestamp",
    }  # fmt: skip
    assert users.primary_key == ("id",)
    assert users.foreign_keys == (ForeignKey(("orgId",), "org", ("code",)),)
    assert users.uniques == (("email",), ("email", "orgId"))


def test_tables_of_drizzle_and_models_of_sequelize() -> None:
    found = tables(
        schema_ts="""
            export const mood = pgEnum("mood", ["sad", "ok"]);
            export const users = pgTable("users", {
              id: uuid("id").primaryKey().defaultRandom(),
              fullName: varchar("full_name", { length: 256 }).notNull(),
              mood: mood("mood"),
              orgId: integer("org_id").references(() => orgs.id),
            }, (t) => [uniqueIndex("by_name").on(t.fullName), index("by_org").on(t.orgId, t.mood)]);
            export const orgs = pgTable("orgs", { id: serial().primaryKey(), at: integer({ mode: "timestamp" }) });
            """,
        model_js="""
            const Car = sequelize.define("car", {
              plate: { type: DataTypes.STRING(8), allowNull: false, unique: true },
              ownerId: { type: DataTypes.UUID, references: { model: "users", key: "id" } },
              bought: DataTypes.DATE,
            }, { tableName: "cars", underscored: true, indexes: [{ fields: ["bought"] }] });
            """,
    )
    users = found["users"]
    assert users.columns == (
        Column("id", "uuid", nullable=False, primary=True),
        Column("full_name", "text", nullable=False),
        Column("mood", "text", enum="type"),
        Column("org_id", "integer"),
    )
    assert users.uniques == (("full_name",),)
    assert users.indexes == (("org_id", "mood"),)
    assert users.foreign_keys == (ForeignKey(("org_id",), "orgs", ("id",)),)
    assert said(found["orgs"]) == {"id": "integer", "at": "timestamp?"}
    assert said(found["cars"]) == {
        "plate": "text", "ownerId": "uuid?", "bought": "timestamp?", "created_at": "timestamp",
        "updated_at": "timestamp", "id": "integer",
    }  # fmt: skip
    assert found["cars"].indexes == (("bought",),)


def test_a_schema_of_prisma() -> None:
    found = tables(
        schema_prisma="""
            datasource db {
              provider = "postgresql"
            }
            // model Ghost {
            enum Role {
              USER
            }
            model User {
              id        Int     @id @default(autoincrement())
              email     String  @unique @map("mail") // the address
              role      Role    @default(USER)
              meta      Json?   @default("{}")
              tags      String[]
              posts     Post[]
              @@index([email, role(sort: Desc)])
              @@map("users")
            }
            model Post {
              id       String @db.Uuid
              part     Int
              authorId Int    @map("author_id")
              author   User   @relation("written", fields: [authorId], references: [id], onDelete: Cascade)
              @@id([id, part])
            }
            """
    )
    assert set(found) == {"users", "Post"}
    users, post = found["users"], found["Post"]
    assert said(users) == {"id": "integer", "mail": "text", "role": "text", "meta": "json?", "tags": "array"}
    assert users.columns[2].enum == "type"
    assert users.uniques == (("mail",),)
    assert users.indexes == (("mail", "role"),)
    assert said(post) == {"id": "uuid", "part": "integer", "author_id": "integer"}
    assert post.primary_key == ("id", "part")
    assert post.foreign_keys == (ForeignKey(("author_id",), "users", ("id",)),)
