import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.util.Arrays;

/** Verifies an RFC 3161 token by SM2 with SM3: Stamp TOKEN ROOT DATA. */
public class Stamp {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        TimeStampToken token = new TimeStampToken(new CMSSignedData(Files.readAllBytes(Paths.get(args[0]))));
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        X509Certificate root = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Paths.get(args[1]))));
        byte[] digest = MessageDigest.getInstance("SM3", "BC").digest(Files.readAllBytes(Paths.get(args[2])));
        if (!Arrays.areEqual(digest, token.getTimeStampInfo().getMessageImprintDigest())) {
            System.out.println("of something else");
            return;
        }
        @SuppressWarnings("unchecked")
        Collection<X509CertificateHolder> found = token.getCertificates().getMatches(token.getSID());
        X509CertificateHolder holder = found.iterator().next();
        X509Certificate certificate = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(holder.getEncoded()));
        certificate.verify(root.getPublicKey(), "BC");
        // Checks the critical extended key usage, the signing certificate attribute, validity and signature.
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder));
        System.out.println("valid " + token.getTimeStampInfo().getGenTime().getTime() / 1000);
    }
}
