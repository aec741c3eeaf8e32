// Run by mongosh in the container of MongoDB until it succeeds: makes the replica set of one member, a root user, and the
// services' user. As long as there is no user MongoDB lets whoever is on this host do so.
const secret = name => require("fs").readFileSync(`/run/secrets/${name}`, "utf8").trim();
const admin = db.getSiblingDB("admin");

function authenticates(user, password) {
  try {
    return admin.auth(user, password).ok === 1;
  } catch (error) {
    return false;
  }
}

if (!admin.hello().setName) rs.initiate({_id: "lightflow", members: [{_id: 0, host: "mongo:27017"}]});
for (let left = 100; !admin.hello().isWritablePrimary; left--) left > 0 ? sleep(100) : quit(1);

const root = secret("mongo_root_password");
if (!authenticates("root", root)) {
  admin.createUser({user: "root", pwd: root, roles: ["root"]});
  admin.auth("root", root);
}
const own = {pwd: secret("mongo_password"), roles: ["readWrite", "dbAdmin"].map(role => ({role, db: "lightflow"}))};
admin.getUser("lightflow") ? admin.updateUser("lightflow", own) : admin.createUser({user: "lightflow", ...own});
